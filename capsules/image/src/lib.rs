//! Resizes pictures and encodes them. PNG or JPEG in, PNG or JPEG out.
//!
//! `resize WIDTH HEIGHT [FORMAT [QUALITY [FILTER]]]`: either side may be 0, to keep
//! the picture's shape; FORMAT is `png` (default) or `jpeg`, QUALITY 1 to 100 (80),
//! of a JPEG, FILTER is `nearest`, `triangle` (default) or `lanczos`.
//! `info` answers "FORMAT WIDTH HEIGHT" from the picture's header alone.

use image::codecs::jpeg::JpegEncoder;
use image::codecs::png::PngEncoder;
use image::imageops::FilterType;
use image::{DynamicImage, ImageFormat, ImageReader, Limits};
use inos_sdk::{capsule, Failure, Job, Outcome};
use std::io::Cursor;

/// The longest side, in pixels, in and out.
const MAX_SIDE: u32 = 16384;
/// Bytes that a decoder may allocate: a small file may claim a large picture.
const MAX_DECODED: u64 = 512 << 20;

enum Target {
    Png,
    Jpeg(u8),
}

/// What the arguments of `resize` say.
struct Wanted {
    width: u32,
    height: u32,
    target: Target,
    filter: FilterType,
}

fn wanted(job: &Job) -> Result<Wanted, Failure> {
    let number = |i: usize, what: &str, range: std::ops::RangeInclusive<u32>| {
        let n = job.arg(i).and_then(|a| a.parse().ok()).filter(|n| range.contains(n));
        n.ok_or_else(|| Failure::bad_input(format!("{what} is a number from {} to {}", range.start(), range.end())))
    };
    let quality = if job.arg(3).is_some() { number(3, "the quality", 1..=100)? } else { 80 };
    Ok(Wanted {
        width: number(0, "the width", 0..=MAX_SIDE)?,
        height: number(1, "the height", 0..=MAX_SIDE)?,
        target: match job.arg(2).unwrap_or("png") {
            "png" => Target::Png,
            "jpeg" => Target::Jpeg(quality as u8),
            other => return Err(Failure::bad_input(format!("the format is png or jpeg, not {other:?}"))),
        },
        filter: match job.arg(4).unwrap_or("triangle") {
            "nearest" => FilterType::Nearest,
            "triangle" => FilterType::Triangle,
            "lanczos" => FilterType::Lanczos3,
            other => {
                return Err(Failure::bad_input(format!("the filter is nearest, triangle or lanczos, not {other:?}")))
            }
        },
    })
}

impl Wanted {
    /// The new sides of a picture.
    fn sides(&self, width: u32, height: u32) -> Result<(u32, u32), Failure> {
        let scaled = |side: u32, by: u32, of: u32| {
            let n = (u64::from(side) * u64::from(by) + u64::from(of) / 2) / u64::from(of.max(1));
            n.clamp(1, u64::from(MAX_SIDE)) as u32
        };
        match (self.width, self.height) {
            (0, 0) => Ok((width, height)),
            (w, 0) => Ok((w, scaled(height, w, width))),
            (0, h) => Ok((scaled(width, h, height), h)),
            sides => Ok(sides),
        }
    }
}

type Reader<'a> = ImageReader<Cursor<&'a [u8]>>;

/// The picture's reader, with the limits it keeps.
fn reader<'a>(job: &Job<'a>) -> Result<(Reader<'a>, ImageFormat), Failure> {
    let mut reader = ImageReader::new(Cursor::new(job.input())).with_guessed_format().map_err(Failure::bad_input)?;
    let format = reader.format().ok_or_else(|| Failure::bad_input("neither a PNG nor a JPEG"))?;
    let mut limits = Limits::default();
    limits.max_image_width = Some(MAX_SIDE);
    limits.max_image_height = Some(MAX_SIDE);
    limits.max_alloc = Some(MAX_DECODED);
    reader.limits(limits);
    Ok((reader, format))
}

fn resize(job: &mut Job) -> Outcome {
    let wanted = wanted(job)?;
    let (width, height) = reader(job)?.0.into_dimensions().map_err(Failure::bad_input)?;
    let (new_width, new_height) = wanted.sides(width, height)?;
    // Four channels: the old picture, the new one, and f32 ones between the passes.
    let pixels = |w: u32, h: u32| w as usize * h as usize;
    job.make_room(4 * pixels(width, height) + 20 * pixels(width, new_height) + 4 * pixels(new_width, new_height))?;
    let mut picture = reader(job)?.0.decode().map_err(Failure::bad_input)?;
    job.progress(1, 3);
    job.checkpoint()?;
    if (new_width, new_height) != (width, height) {
        picture = picture.resize_exact(new_width, new_height, wanted.filter);
    }
    job.progress(2, 3);
    job.checkpoint()?;
    encode(job, picture, wanted.target)?;
    job.progress(3, 3);
    Ok(())
}

fn encode(job: &mut Job, picture: DynamicImage, target: Target) -> Outcome {
    let written = match target {
        Target::Png => picture.write_with_encoder(PngEncoder::new(job.output())),
        // JPEG knows no alpha.
        Target::Jpeg(quality) => {
            let opaque = DynamicImage::ImageRgb8(picture.into_rgb8());
            opaque.write_with_encoder(JpegEncoder::new_with_quality(job.output(), quality))
        }
    };
    written.map_err(Failure::failed)
}

fn info(job: &mut Job) -> Outcome {
    let (reader, format) = reader(job)?;
    let (width, height) = reader.into_dimensions().map_err(Failure::bad_input)?;
    let name = format.extensions_str()[0].replace("jpg", "jpeg");
    job.write(format!("{name} {width} {height}\n").as_bytes());
    Ok(())
}

capsule! { methods: { "resize" => resize, "info" => info } }

#[cfg(test)]
mod tests {
    use super::CAPSULE;
    use image::{ImageFormat, Rgb, RgbImage};
    use inos_sdk::testing::call;
    use inos_sdk::RunCode;

    fn picture() -> Vec<u8> {
        let gradient = RgbImage::from_fn(64, 48, |x, y| Rgb([x as u8 * 4, y as u8 * 5, 100]));
        let mut png = std::io::Cursor::new(Vec::new());
        gradient.write_to(&mut png, ImageFormat::Png).unwrap();
        png.into_inner()
    }

    #[test]
    fn resizes_and_keeps_the_shape() {
        let half = call(&CAPSULE, "resize", &["32", "0"], &picture()).unwrap();
        assert_eq!(call(&CAPSULE, "info", &[], &half).unwrap(), b"png 32 24\n");
        let jpeg = call(&CAPSULE, "resize", &["0", "12", "jpeg", "90"], &picture()).unwrap();
        assert_eq!(call(&CAPSULE, "info", &[], &jpeg).unwrap(), b"jpeg 16 12\n");
        let pixel = *image::load_from_memory(&half).unwrap().into_rgb8().get_pixel(16, 12);
        for (got, want) in pixel.0.iter().zip([130, 122, 100]) {
            assert!(got.abs_diff(want) <= 1, "{pixel:?}");
        }
    }

    #[test]
    fn refuses_what_it_cannot_use() {
        let refused = |args: &[&str], input: &[u8]| {
            assert_eq!(call(&CAPSULE, "resize", args, input).unwrap_err().code, RunCode::BadInput, "{args:?}")
        };
        refused(&["10", "10"], b"no picture");
        refused(&["10"], &picture());
        refused(&["10", "10", "gif"], &picture());
        refused(&["10", "10", "jpeg", "101"], &picture());
        refused(&["10", "10", "png", "80", "best"], &picture());
        refused(&["10", "99999"], &picture());
        // A header that claims more than the limits, with a right checksum.
        let mut bomb = picture();
        bomb[16..24].copy_from_slice(&[0, 1, 0, 0, 0, 1, 0, 0]);
        let crc = !bomb[12..29].iter().fold(!0u32, |c, &b| {
            (0..8).fold(c ^ u32::from(b), |c, _| if c & 1 == 1 { c >> 1 ^ 0xEDB8_8320 } else { c >> 1 })
        });
        bomb[29..33].copy_from_slice(&crc.to_be_bytes());
        refused(&["10", "10"], &bomb);
        refused(&["10", "10"], &picture()[..200]);
    }
}
