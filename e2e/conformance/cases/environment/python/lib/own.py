name = 'from a folder'
