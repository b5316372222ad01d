"""What officers do by phone: signing in and out, who is on duty, the crisis cell."""
