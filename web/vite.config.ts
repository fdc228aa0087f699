import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";
import react from "@vitejs/plugin-react";
import { defineConfig, type Plugin } from "vite";

const OUT = "../src/ownkey/server/page";
const TEXT = /\.(js|css|svg|html|webmanifest)$/;

/** Each file also as a server sends it: `.br` and `.gz`, where they are smaller. The page itself gets a nonce each time. */
function compressed(): Plugin {
  return {
    name: "compressed",
    apply: "build",
    writeBundle(options) {
      for (const found of readdirSync(options.dir as string, { recursive: true, withFileTypes: true })) {
        if (!found.isFile() || !TEXT.test(found.name) || found.name === "index.html") continue;
        const path = join(found.parentPath, found.name);
        const bytes = readFileSync(path);
        const brotli = brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } });
        const gzip = gzipSync(bytes, { level: 9 });
        if (brotli.length < bytes.length) writeFileSync(`${path}.br`, brotli);
        if (gzip.length < bytes.length) writeFileSync(`${path}.gz`, gzip);
      }
    },
  };
}

export default defineConfig({
  plugins: [react(), compressed()],
  html: { cspNonce: "__OWNKEY_NONCE__" },
  build: {
    outDir: OUT,
    emptyOutDir: true,
    target: "es2022",
    modulePreload: { polyfill: false },
    // Nothing is put into the page as data: the policy lets only files of this server in.
    assetsInlineLimit: 0,
    reportCompressedSize: false,
  },
  server: {
    proxy: { "/api": "http://127.0.0.1:3010", "/v1": "http://127.0.0.1:3010", "/v1beta": "http://127.0.0.1:3010" },
  },
});
