"""When a job ends, the right request leaves: rules, templates, deliveries, and what comes in the same way."""
