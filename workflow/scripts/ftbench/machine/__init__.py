"""The machine under a network: devices, memory, several processes, faster forms of the same operations."""
