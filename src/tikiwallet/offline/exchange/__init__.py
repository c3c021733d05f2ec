"""One payment between two devices without a network, as pure state machines.

`step(state, event)` gives the next state and its effects; whoever runs a machine carries them out
and answers with events. A state is a frozen dataclass of plain values: `keeping` writes it down and
reads it again, and a device that starts anew goes on from what it wrote last.
"""
