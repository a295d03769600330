/**
 * What a value is once it went through JSON, as a type: the counterpart of `to-json.ts`.
 * @module
 */

/** Anything that JSON holds. */
export type JsonValue =
  | string
  | number
  | boolean
  | null
  | readonly JsonValue[]
  | { readonly [key: string]: JsonValue }

type Bytes = Uint8Array | Uint8ClampedArray | ArrayBuffer | DataView
type Numbers = Int8Array | Int16Array | Uint16Array | Int32Array | Uint32Array | Float32Array | Float64Array
type BigNumbers = BigInt64Array | BigUint64Array
type Unsayable = symbol | ((...args: never[]) => unknown)

/**
 * The JSON that a task's value becomes on the way to a web client: a `Date` its ISO text, a `bigint` its digits, bytes
 * base64, a `Map` its entries, a `Set` its members, an `Error` its name and message.
 */
export type JsonOf<T> = unknown extends T
  ? JsonValue
  : T extends string | number | boolean | null
    ? T
    : T extends void
      ? null
      : T extends Unsayable
        ? null
        : T extends bigint | Date | RegExp | URL | URLSearchParams
          ? string
          : T extends Numbers
            ? number[]
            : T extends BigNumbers
              ? string[]
              : T extends Bytes
                ? string
                : T extends ReadonlyMap<infer Key, infer Value>
                  ? [JsonOf<Key>, JsonOf<Value>][]
                  : T extends ReadonlySet<infer Member>
                    ? JsonOf<Member>[]
                    : T extends Error
                      ? { name: string; message: string }
                      : T extends readonly unknown[]
                        ? { [Index in keyof T]: JsonOf<T[Index]> }
                        : JsonObject<T>

/** JSON leaves a field out that is `undefined`. */
type JsonObject<T> = Flat<
  {
    [Key in keyof T as Key extends symbol ? never : undefined extends T[Key] ? never : Key]: JsonOf<T[Key]>
  } & {
    [Key in keyof T as Key extends symbol ? never : undefined extends T[Key] ? Key : never]?: JsonOf<
      Exclude<T[Key], undefined>
    >
  }
>

type Flat<T> = { [Key in keyof T]: T[Key] }
