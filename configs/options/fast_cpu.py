# Faster steps on a CPU: convs in channels-last format, freed memory is kept. Equal up to rounding.
default_hooks = dict(speed=dict(type='FastCPUHook'))
