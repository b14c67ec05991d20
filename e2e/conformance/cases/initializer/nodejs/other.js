exports.init = function (context, callback) { global.madeByOther = 'made by other.js'; callback(); };
