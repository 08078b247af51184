import { type LayoutRequest, layout } from "./layout";

self.onmessage = (message: MessageEvent<LayoutRequest>) => {
  self.postMessage(layout(message.data));
};
