import type { Preview } from "@storybook/react-vite";
import "../../packages/react/src/styles.css";
import "../host.css";

const preview: Preview = { parameters: { layout: "padded" } };

export default preview;
