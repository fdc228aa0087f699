import { Spotlight, type SpotlightActionData } from "@mantine/spotlight";
import "@mantine/spotlight/styles.css";
import { createSpotlight } from "@mantine/spotlight";
import { IconSearch } from "@tabler/icons-react";
import { useEffect, useMemo } from "react";
import { useNavigate } from "react-router";
import { useFocusBack } from "../parts/focus";
import { useKeeper } from "./session";
import { root, VIEWS } from "./view";

const [store, spotlight] = createSpotlight();

/** Any view by its name or by what it is for: ⌘K, or Ctrl K. */
export default function Finder({ close }: { close: () => void }) {
  useFocusBack();
  const navigate = useNavigate();
  const keeper = useKeeper();
  useEffect(() => spotlight.open(), []);
  const actions = useMemo<SpotlightActionData[]>(
    () =>
      VIEWS.filter((view) => !view.bare && (keeper || !view.keepers)).map((view) => ({
        id: view.path,
        label: view.title,
        keywords: [...(view.found ?? [])],
        leftSection: <view.icon size={18} stroke={1.6} aria-hidden />,
        onClick: () => void navigate(root(view)),
      })),
    [keeper, navigate],
  );
  return (
    <Spotlight
      store={store}
      actions={actions}
      shortcut={null}
      nothingFound="Nothing is called that."
      highlightQuery
      onSpotlightClose={close}
      searchProps={{
        leftSection: <IconSearch size={18} aria-hidden />,
        placeholder: "Find anything",
        "aria-label": "Find anything",
      }}
    />
  );
}
