"""What happens without being asked: sealing the log, expiring holds, recovering what was cut short."""
