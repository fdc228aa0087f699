import { Button } from "@mantine/core";
import { useNavigate } from "react-router";
import { PageHead } from "../../parts/PageHead";
import { Foot } from "./Foot";
import { DemoTalk } from "./TryIt";
import type { Frame } from "./Welcome";

/** Looking around, without a key and without a promise. */
export function Demo({ go, busy }: Frame) {
  const navigate = useNavigate();
  return (
    <>
      <PageHead title="Look around" says="Ask something, see the price before and after, and go where you like." />
      <DemoTalk />
      <Foot back={() => go("welcome")}>
        <Button variant="default" onClick={() => void navigate("/")}>
          Go to Home
        </Button>
        <Button onClick={() => go("privacy")} loading={busy}>
          Begin with your own key
        </Button>
      </Foot>
    </>
  );
}
