import { copyFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));

/** Twice: `--mode components` for hosts with React of their own, `--mode elements` with React within, for hosts without. */
export default defineConfig(({ mode }) => {
  const elements = mode === "elements";
  return {
    root: here("."),
    plugins: [
      react(),
      {
        name: "styles",
        writeBundle: () => copyFileSync(here("src/styles.css"), here("dist/styles.css")),
      },
    ],
    define: elements ? { "process.env.NODE_ENV": JSON.stringify("production") } : {},
    build: {
      outDir: here("dist"),
      emptyOutDir: !elements,
      target: "es2022",
      minify: elements,
      reportCompressedSize: false,
      lib: {
        entry: here(elements ? "src/elements.tsx" : "src/index.ts"),
        formats: ["es"],
        fileName: elements ? "elements" : "index",
      },
      rollupOptions: { external: elements ? [] : ["react", "react-dom", "react/jsx-runtime"] },
    },
  };
});
