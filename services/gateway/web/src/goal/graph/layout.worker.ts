import type { LayoutRequest } from "./layers";
import { layout } from "./layout";

self.onmessage = (message: MessageEvent<LayoutRequest>) => {
  self.postMessage(layout(message.data));
};
