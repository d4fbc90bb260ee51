"""What touches the world: each room owns one outside thing, reports facts and carries out actions."""
