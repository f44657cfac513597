"""The Fashion VAE of Foster's book, chapter 3, in Keras: same layers, loss and batch; prints images a second.

The model is written anew from the book's description (32 px grey; convolutions 32-64-128 with stride 2; 2 latents;
transposed convolutions 128-64-32; 500 times the mean cross-entropy plus KL; Adam 5e-4; batch 100), with Keras's own
`fit`. usage: PEER_PYTHON keras_fashion_vae.py N_IMAGES EPOCHS
"""

import json
import os
import sys
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf
from keras import layers


def networks() -> tuple[keras.Model, keras.Model]:
    """Encoder to mean and log-variance, decoder to pixels in [0, 1]."""
    x = picture = layers.Input((32, 32, 1))
    for channels in (32, 64, 128):
        x = layers.Conv2D(channels, 3, strides=2, padding="same", activation="relu")(x)
    x = layers.Flatten()(x)
    encoder = keras.Model(picture, [layers.Dense(2)(x), layers.Dense(2)(x)])
    y = code = layers.Input((2,))
    y = layers.Reshape((4, 4, 128))(layers.Dense(2048)(y))
    for channels in (128, 64, 32):
        y = layers.Conv2DTranspose(channels, 3, strides=2, padding="same", activation="relu")(y)
    decoder = keras.Model(code, layers.Conv2D(1, 3, padding="same", activation="sigmoid")(y))
    return encoder, decoder


class VAE(keras.Model):
    """Both networks and the step."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder, self.decoder = networks()
        self.total = keras.metrics.Mean(name="loss")

    def train_step(self, data):
        """One step of Adam."""
        with tf.GradientTape() as tape:
            mean, log_var = self.encoder(data)
            z = mean + tf.exp(0.5 * log_var) * tf.random.normal(tf.shape(mean))
            pixels = keras.losses.binary_crossentropy(data, self.decoder(z))
            divergence = -0.5 * tf.reduce_sum(1 + log_var - tf.square(mean) - tf.exp(log_var), axis=1)
            loss = 500 * tf.reduce_mean(pixels) + tf.reduce_mean(divergence)
        gradients = tape.gradient(loss, self.trainable_weights)
        self.optimizer.apply_gradients(zip(gradients, self.trainable_weights, strict=True))
        self.total.update_state(loss)
        return {"loss": self.total.result()}


class Timer(keras.callbacks.Callback):
    """Notes how long epochs take."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds: list[float] = []

    def on_epoch_begin(self, epoch, logs=None) -> None:
        """Start the clock."""
        self._start = time.perf_counter()

    def on_epoch_end(self, epoch, logs=None) -> None:
        """Stop the clock."""
        self.seconds.append(time.perf_counter() - self._start)


def main() -> None:
    """Fit and report the median epoch, the first left out."""
    n, epochs = int(sys.argv[1]), int(sys.argv[2])
    x = np.random.default_rng(0).random((n, 32, 32, 1), dtype=np.float32)
    vae, timer = VAE(), Timer()
    vae.compile(optimizer=keras.optimizers.Adam(5e-4))
    vae.fit(x, batch_size=100, epochs=epochs, shuffle=True, callbacks=[timer], verbose=0)
    seconds = sorted(timer.seconds[1:])
    print(json.dumps({"images_per_sec": n / seconds[len(seconds) // 2]}))


main()
