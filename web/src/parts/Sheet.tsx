import { Drawer } from "@mantine/core";
import { useMediaQuery } from "@mantine/hooks";
import { type ReactNode, useEffect } from "react";
import { useNavigate } from "react-router";
import { useFocusBack } from "./focus";

/** Details beside what they are of. Its address is the view's and one step more, so that back and reload work: the view
 * draws it where its path says so, and `back` is the view's own path. */
export function Sheet({ title, back, children }: { title: string; back: string; children: ReactNode }) {
  const navigate = useNavigate();
  const narrow = useMediaQuery("(max-width: 48em)");
  useEffect(() => {
    document.title = `${title} · Ownkey`;
  }, [title]);
  useFocusBack();
  return (
    <Drawer
      opened
      onClose={() => navigate(back)}
      position="right"
      size={narrow ? "100%" : 520}
      title={title}
      closeButtonProps={{ "aria-label": "Close" }}
      // Its head is no banner of the page's.
      attributes={{ header: { role: "none" } }}
    >
      {children}
    </Drawer>
  );
}
