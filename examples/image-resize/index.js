'use strict';

// Makes a thumbnail of every picture put below photos/ and writes it below thumbnails/ in the same bucket.
// Works unchanged on Function Compute and on fcd: the OSS client finds its endpoint by the event's region and signs
// with the temporary credentials of the service's role.

const OSS = require('ali-oss');
const jpeg = require('jpeg-js');

const WIDTH = Number(process.env.THUMBNAIL_WIDTH || 320);

exports.handler = function (event, context, callback) {
  resize(JSON.parse(event.toString()).events[0], context.credentials).then(
    (done) => callback(null, done),
    (err) => callback(err)
  );
};

function resize(e, credentials) {
  const key = e.oss.object.key;
  const target = key.replace(/^photos\//, 'thumbnails/');
  const keys = {
    accessKeyId: credentials.accessKeyId,
    accessKeySecret: credentials.accessKeySecret,
    stsToken: credentials.securityToken
  };
  const client = new OSS(Object.assign({
    region: 'oss-' + e.region,
    bucket: e.oss.bucket.name,
    refreshSTSToken: () => Promise.resolve(keys), // they outlive the call
    refreshSTSTokenInterval: 3600 * 1000
  }, keys));

  console.log('read', key, e.oss.object.size, 'bytes');
  return client.get(key).then((got) => {
    const picture = jpeg.decode(got.content, { useTArray: true, maxMemoryUsageInMB: 1024 });
    console.log('decoded', picture.width + 'x' + picture.height);
    const small = shrink(picture, Math.min(WIDTH, picture.width));
    const bytes = jpeg.encode(small, 85).data;
    return client.put(target, bytes, { mime: 'image/jpeg' }).then(() => {
      console.log('wrote', target, small.width + 'x' + small.height, bytes.length, 'bytes');
      return { source: key, thumbnail: target, width: small.width, height: small.height, bytes: bytes.length };
    });
  });
}

// shrink averages the pixels that fall onto one pixel of the smaller picture (a box filter).
function shrink(src, width) {
  const height = Math.max(1, Math.round(src.height * width / src.width));
  const out = Buffer.alloc(width * height * 4, 255);
  for (let y = 0; y < height; y++) {
    const y0 = Math.floor(y * src.height / height);
    const y1 = Math.max(y0 + 1, Math.floor((y + 1) * src.height / height));
    for (let x = 0; x < width; x++) {
      const x0 = Math.floor(x * src.width / width);
      const x1 = Math.max(x0 + 1, Math.floor((x + 1) * src.width / width));
      average(src, x0, x1, y0, y1, out, (y * width + x) * 4);
    }
  }
  return { width: width, height: height, data: out };
}

function average(src, x0, x1, y0, y1, out, at) {
  let r = 0, g = 0, b = 0;
  for (let y = y0; y < y1; y++) {
    for (let i = (y * src.width + x0) * 4, end = (y * src.width + x1) * 4; i < end; i += 4) {
      r += src.data[i];
      g += src.data[i + 1];
      b += src.data[i + 2];
    }
  }
  const n = (x1 - x0) * (y1 - y0);
  out[at] = r / n;
  out[at + 1] = g / n;
  out[at + 2] = b / n;
}
