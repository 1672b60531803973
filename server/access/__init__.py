"""Who acts, what they may do, and what stays hidden."""
