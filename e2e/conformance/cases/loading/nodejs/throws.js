'use strict';
throw new Error('thrown while loading');
