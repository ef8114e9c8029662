"""The Model Context Protocol: documents as tools and resources of assistants.

The tools ask a service by its own HTTP API: a running one, one in this process, or the one that
answers `/mcp`, in the name of the caller's key. Needs the extra `mcp`, which is imported with
`server`, `tools`, `resources` and `results`.
"""
