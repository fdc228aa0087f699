import "./mantine.css";
import { localStorageColorSchemeManager, MantineProvider } from "@mantine/core";
import { notifyManager, QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { setNonce } from "get-nonce";
import { createRoot } from "react-dom/client";
import { asProblem } from "./api/problem";
import Pages from "./app/Pages";
import { SaidBar } from "./parts/Said";
import { theme } from "./theme";
import "./theme.css";

/** The word by which the page's own styles are told from what somebody slipped in. */
const nonce = document.querySelector<HTMLElement>("script[nonce], meta[property='csp-nonce']")?.nonce ?? "";
setNonce(nonce);

// What a click changes is drawn with the click, not a moment after: a switch would be seen to go back and forth.
notifyManager.setScheduler(queueMicrotask);
const queries = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 5_000,
      // What the server refused it would refuse again.
      retry: (failures, error) => failures < 2 && [0, 502, 504].includes(asProblem(error).status),
    },
  },
});
const colours = localStorageColorSchemeManager({ key: "ownkey-colours" });

createRoot(document.getElementById("root") as HTMLElement).render(
  <MantineProvider theme={theme} colorSchemeManager={colours} defaultColorScheme="auto" getStyleNonce={() => nonce}>
    <QueryClientProvider client={queries}>
      <SaidBar>
        <Pages />
      </SaidBar>
    </QueryClientProvider>
  </MantineProvider>,
);
