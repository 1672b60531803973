"""The county's forms: a folder each with form.xlsx (the source) and media/, `catalogue.toml`, and `divisions.csv`."""
