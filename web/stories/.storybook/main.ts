import type { StorybookConfig } from "@storybook/react-vite";

const config: StorybookConfig = {
  framework: "@storybook/react-vite",
  stories: ["../*.stories.tsx"],
  core: { disableTelemetry: true, disableWhatsNewNotifications: true },
  viteFinal: (given) => ({
    ...given,
    // The components stand outside this folder, and take their React from it.
    resolve: { ...given.resolve, dedupe: ["react", "react-dom"] },
    // Else `light-dark()` is rewritten, by the page's PostCSS or for older browsers, and the dark is not followed.
    css: { ...given.css, postcss: {} },
    build: { ...given.build, cssTarget: ["chrome123", "firefox120", "safari17.5"] },
  }),
};

export default config;
