"""What is measured: one module per kind, one `Scenario` per row of the table."""
