"""What can be declared: one folder a topic, in it one module or folder a resource type.

`protocol.py` says what a provider is, `registry.py` finds it by its type.
"""
