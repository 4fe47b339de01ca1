"""What price to suggest: a rule book, guardrails in decimal arithmetic, elasticity and expected effects."""
