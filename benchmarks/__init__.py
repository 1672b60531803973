"""Load and size measurements, printed as ratios."""
