import { createTheme, defaultVariantColorsResolver, type MantineColorsTuple } from "@mantine/core";

/** The one accent: warm brass, as of a key. Shade 7 on white and 4 on near black are AA for text. */
const brass: MantineColorsTuple = [
  "#fdf6e9",
  "#f7e9cd",
  "#efd29b",
  "#e7bb66",
  "#e0a94a",
  "#d29432",
  "#b7791f",
  "#8f5c12",
  "#75490b",
  "#5b3806",
];

export const theme = createTheme({
  primaryColor: "brass",
  primaryShade: { light: 7, dark: 4 },
  autoContrast: true,
  luminanceThreshold: 0.35,
  colors: { brass },
  // Mantine chooses black or white by the light scheme's shade alone; the accent's is the brighter one in the dark.
  variantColorResolver: (input) => {
    const found = defaultVariantColorsResolver(input);
    const accent = input.variant === "filled" && (input.color || input.theme.primaryColor) === input.theme.primaryColor;
    return accent ? { ...found, color: "var(--mantine-primary-color-contrast)" } : found;
  },
  defaultRadius: 8,
  fontFamily: "Inter, -apple-system, BlinkMacSystemFont, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif",
  fontFamilyMonospace: "ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace",
  fontSizes: { xs: "12px", sm: "13px", md: "14px", lg: "16px", xl: "20px" },
  headings: {
    fontWeight: "600",
    sizes: { h1: { fontSize: "22px" }, h2: { fontSize: "16px" }, h3: { fontSize: "14px" } },
  },
  spacing: { xs: "8px", sm: "12px", md: "16px", lg: "24px", xl: "32px" },
  respectReducedMotion: true,
  cursorType: "pointer",
  components: {
    Chip: { defaultProps: { variant: "outline" } },
    Anchor: { defaultProps: { underline: "always" } },
    // With no colour named a badge is white on the accent, which is too bright for that in the dark.
    Badge: { defaultProps: { color: "brass", miw: "max-content" } },
    Button: { defaultProps: { size: "sm" } },
    TextInput: { defaultProps: { size: "sm" } },
    Drawer: { defaultProps: { transitionProps: { duration: 120 } } },
    Modal: { defaultProps: { centered: true, transitionProps: { duration: 120 } } },
    Tooltip: { defaultProps: { openDelay: 300, withArrow: true } },
  },
});

/** A provider keeps its colour in every chart; those beyond have the rest's. All are told apart by name too. */
const CHART = ["#b7791f", "#3b7a9e", "#6b8f3c", "#8a5aa8", "#c2574a", "#2f8f83", "#a0763d", "#5c6f8a"];

export function colourOf(name: string): string {
  let sum = 0;
  for (const letter of name) sum = (sum * 31 + letter.charCodeAt(0)) >>> 0;
  return CHART[sum % CHART.length] as string;
}
