"""What the benches share: messages, servers to measure, the load client, tables and plots."""
