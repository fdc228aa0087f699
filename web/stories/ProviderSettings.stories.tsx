import type { Meta, StoryObj } from "@storybook/react-vite";
import { ProviderSettings } from "../packages/react/src/index.js";
import { EMPTY, FILLED, Standing } from "./ownkey.js";

const meta: Meta<typeof ProviderSettings> = { title: "ProviderSettings", component: ProviderSettings };
export default meta;

type Story = StoryObj<typeof ProviderSettings>;

const over = (answers: typeof EMPTY | "problem" | "never"): Story => ({
  decorators: [
    (Shown) => (
      <Standing answers={answers}>
        <Shown />
      </Standing>
    ),
  ],
});

export const Loading = over("never");
export const Empty = over(EMPTY);
export const Failed = over("problem");
export const Filled = over(FILLED);
