"""``POST /hooks/{name}``: what comes in from systems that can only send webhooks."""
