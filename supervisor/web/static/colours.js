/** A terminal's colours as RGB, readable on whatever they stand on. Pure. */

const SIXTEEN = [
  [0, 0, 0], [205, 49, 49], [13, 188, 121], [229, 229, 16], [36, 114, 200], [188, 63, 188], [17, 168, 205],
  [229, 229, 229], [102, 102, 102], [241, 76, 76], [35, 209, 139], [245, 245, 67], [59, 142, 234],
  [214, 112, 214], [41, 184, 219], [255, 255, 255],
];
const STEPS = [0, 95, 135, 175, 215, 255];

/** AA of WCAG for text. */
const CONTRAST = 4.5;

/** Of a colour 0-255 or [r, g, b]. */
export function rgb(colour) {
  if (Array.isArray(colour)) return colour;
  if (colour < 16) return SIXTEEN[colour];
  if (colour >= 232) return Array(3).fill(8 + (colour - 232) * 10);
  const cube = colour - 16;
  return [STEPS[Math.floor(cube / 36)], STEPS[Math.floor(cube / 6) % 6], STEPS[cube % 6]];
}

/** `colour`, or the nearest mixture with white or black that can be read on `ground`. */
export function readable(colour, ground) {
  const towards = luminance(ground) > 0.18 ? [0, 0, 0] : [255, 255, 255];
  for (let share = 0; share < 1; share += 0.1) {
    const mixed = colour.map((part, index) => Math.round(part + (towards[index] - part) * share));
    if (contrast(mixed, ground) >= CONTRAST) return mixed;
  }
  return towards;
}

export function contrast(one, other) {
  const [dark, light] = [luminance(one), luminance(other)].sort((a, b) => a - b);
  return (light + 0.05) / (dark + 0.05);
}

function luminance(colour) {
  const [r, g, b] = colour.map((part) => {
    const share = part / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

export function css([r, g, b]) {
  return `rgb(${r}, ${g}, ${b})`;
}
