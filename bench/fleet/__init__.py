"""Engines beyond this machine: pools of remote servers, Ray."""
