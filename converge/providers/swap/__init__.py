"""Swap: files, partitions, compressed memory."""
