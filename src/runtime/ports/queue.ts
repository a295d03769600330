/**
 * The queue port: what errand needs of SQS, in SQS's words. `test/conformance` holds every implementation to it.
 * @module
 */

/** One message to be sent. */
export interface OutgoingMessage {
  readonly body: string
  /** Whole seconds, 0–900; 0 where absent. Refused by FIFO queues. */
  readonly delaySeconds?: number
  /** `MessageGroupId`: the order's scope on a FIFO queue (required there), the fairness key on a standard one. */
  readonly groupId?: string
  /** FIFO only: the same id within five minutes is delivered once. */
  readonly deduplicationId?: string
}

/** What became of one message of a send. */
export type SendResult = { readonly messageId: string } | { readonly error: Error }

/** One message as received. */
export interface ReceivedMessage {
  readonly messageId: string
  /** Names this receipt: good until the message becomes visible again. */
  readonly receiptHandle: string
  readonly body: string
  /** How often it was received, this time included (SQS: approximate). */
  readonly receiveCount: number
  /** Epoch milliseconds. */
  readonly sentAt: number
  /** Epoch milliseconds. */
  readonly firstReceivedAt: number
  readonly groupId?: string
}

/** How to receive. */
export interface ReceiveOptions {
  /** 1–10. */
  readonly maxMessages: number
  /** How long to wait for the first message, 0–20 s. */
  readonly waitSeconds: number
  /** How long what is received is hidden, 0–43,200 s. @default the queue's visibility */
  readonly visibilitySeconds?: number
  /** Ends the wait with no messages. */
  readonly signal?: AbortSignal
}

/** A new visibility for one receipt. */
export interface VisibilityChange {
  readonly receiptHandle: string
  /** Whole seconds, 0–43,200, counted from now; 0 makes it visible at once. */
  readonly visibilitySeconds: number
}

/** How many messages a queue holds; SQS's are approximate. */
export interface QueueCounts {
  readonly visible: number
  readonly inFlight: number
  readonly delayed: number
}

/** The queues of one app, by the names of its config. */
export interface Queue {
  /**
   * Sends any number of messages, in as few requests as SQS allows (10, and 1 MiB together), and sends again
   * what a batch reports as failed. The results are in the order of the messages; it throws only where
   * nothing can be sent at all.
   */
  send(queue: string, messages: readonly OutgoingMessage[]): Promise<readonly SendResult[]>
  /** Receives up to `maxMessages`, hidden from then on. */
  receive(queue: string, options: ReceiveOptions): Promise<readonly ReceivedMessage[]>
  /** Deletes by receipt; a receipt that is no longer good is ignored, as SQS does. */
  delete(queue: string, receiptHandles: readonly string[]): Promise<void>
  /** Changes visibilities; a receipt that is no longer good is ignored. */
  changeVisibility(queue: string, changes: readonly VisibilityChange[]): Promise<void>
  counts(queue: string): Promise<QueueCounts>
  /** The name of the queue that an event's `eventSourceARN` names, or `undefined` where it is not one of this app. */
  nameOfArn(arn: string): string | undefined
}
