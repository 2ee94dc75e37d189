"""Databases that can store the records, one module each; `app.records.address` lists them."""
