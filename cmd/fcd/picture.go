package main

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"math"
)

// renderPicture draws a landscape of the given size and returns it as a JPEG: what the demo puts into a bucket.
func renderPicture(width, height int) ([]byte, error) {
	img := image.NewRGBA(image.Rect(0, 0, width, height))
	w, h := float64(width), float64(height)
	for y := range height {
		for x := range width {
			img.SetRGBA(x, y, landscape(float64(x)/w, float64(y)/h))
		}
	}
	var out bytes.Buffer
	err := jpeg.Encode(&out, img, &jpeg.Options{Quality: 88})
	return out.Bytes(), err
}

// landscape is the colour at (x, y), both from 0 to 1, y downwards: a low sun over three ridges.
func landscape(x, y float64) color.RGBA {
	ridges := []struct{ base, height, waves, phase, shade float64 }{
		{0.86, 0.08, 5, 0.3, 0.16}, {0.74, 0.10, 3.2, 1.7, 0.34}, {0.62, 0.09, 2.1, 4.1, 0.52},
	}
	for _, r := range ridges {
		crest := r.base - r.height*(math.Sin(r.waves*math.Pi*x+r.phase)+0.3*math.Sin(17*x+r.phase))
		if y > crest {
			return shade(r.shade+0.15*(y-crest), 60, 90, 110)
		}
	}
	sun := math.Hypot((x-0.68)*1.5, y-0.38)
	if sun < 0.09 {
		return color.RGBA{255, 244, 214, 255}
	}
	glow := math.Exp(-6 * sun)
	return color.RGBA{
		R: channel(120 + 110*y + 120*glow), G: channel(150 + 40*y + 70*glow), B: channel(205 - 50*y + 10*glow), A: 255,
	}
}

func shade(light, r, g, b float64) color.RGBA {
	return color.RGBA{channel(r * light * 2), channel(g * light * 2), channel(b * light * 2), 255}
}

func channel(v float64) uint8 { return uint8(math.Max(0, math.Min(255, v))) }

// pictureSize reads the size of a JPEG, like "320 x 213".
func pictureSize(b []byte) (string, error) {
	c, err := jpeg.DecodeConfig(bytes.NewReader(b))
	if err != nil {
		return "", fmt.Errorf("not a JPEG: %w", err)
	}
	return fmt.Sprintf("%d x %d", c.Width, c.Height), nil
}
