"""Triggers: durable before they are answered, and one run each, however often they are sent."""
