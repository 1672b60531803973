"""A form's submissions as files and streams: one module per format, all over the rows of rows.py."""
