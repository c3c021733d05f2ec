"""Offline money: passes over escrow, signed payments between devices, and their settlement."""
