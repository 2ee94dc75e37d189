"""Reader of CSV and Parquet tables, for every command that takes a file of rows."""
