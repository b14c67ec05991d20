raise ValueError('thrown while loading')
