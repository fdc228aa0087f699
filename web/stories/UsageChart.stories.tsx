import type { Meta, StoryObj } from "@storybook/react-vite";
import { UsageChart } from "../packages/react/src/index.js";
import { EMPTY, FILLED, Standing } from "./ownkey.js";

const meta: Meta<typeof UsageChart> = { title: "UsageChart", component: UsageChart, args: { days: 30 } };
export default meta;

type Story = StoryObj<typeof UsageChart>;

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
