"""What happens without being asked: sealing, expiring holds, recovering what was cut short."""
