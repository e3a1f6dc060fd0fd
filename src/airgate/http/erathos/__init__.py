"""The workspace API in the style of Erathos: workspaces, variables, secrets, jobs, webhooks and what became of them."""
