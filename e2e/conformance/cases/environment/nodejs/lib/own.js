module.exports = 'from a folder';
