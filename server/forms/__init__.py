"""XLSForms: compiled, drafted, published, served."""
