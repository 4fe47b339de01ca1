"""What is getting hot: heat, streaks and alerts by design element and region, from social signals."""
