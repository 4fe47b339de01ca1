"""What was really wanted: demand behind returns, cancellations, fake orders, stock-outs and closed days."""
