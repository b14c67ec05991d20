name = 'from PYTHONPATH'
